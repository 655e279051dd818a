from ..scanning.scan import Scanner as Scanner
