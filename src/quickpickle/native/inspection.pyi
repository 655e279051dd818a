from ..inspection.scan import Scanner as Scanner

CONSTANTS: dict[str, int]
