"""What a scan is like, and is it good enough? Units, noise, sharpness, blood, field of view."""
