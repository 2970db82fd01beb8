"""What would the result be if a reader corrected the trees by hand?"""
