"""How well does computed FFR agree with invasive FFR, on a cohort that has both?"""

FILES = ("metrics.json", "cases.csv", "report.html", "report.pdf")
DRAWS = 2000  # of the bootstrap of patients
