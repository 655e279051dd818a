from ..inspection.scan import Scanner as Scanner
