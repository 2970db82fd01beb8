"""Which factors turn clinical units into SI: used in wrappers only, once in, once out."""

M_PER_MM = 1e-3
PA_PER_MMHG = 133.322387415  # conventional millimetre of mercury, ISO 80000-4 (2019)
M3_S_PER_ML_MIN = 1e-6 / 60.0
PA_S_M3_PER_MMHG_MIN_ML = PA_PER_MMHG / M3_S_PER_ML_MIN
