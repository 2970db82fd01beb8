"""How well does computed FFR agree with invasive FFR, on a cohort that has both?"""
