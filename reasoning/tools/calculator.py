"""The calculator that checks a policy's annotations: `data.arithmetic`, under the name of the tool."""

from data.arithmetic import Annotation, CalculatorError, check, evaluate, format_number

__all__ = ["Annotation", "CalculatorError", "check", "evaluate", "format_number"]
