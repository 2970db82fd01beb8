"""What can be wrong with a geometry."""


class GeometryError(ValueError):
    """A volume, tree or surface breaks a rule that everything downstream relies on."""
