"""Virtual patients: anatomy, disease and CT physics with exactly known truth."""
