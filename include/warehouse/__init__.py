"""SQL over the lake, to read and nothing else: one way in for people, pages and programs."""

from include.warehouse.question import Answer, Limits, Question, Running, Warehouse

__all__ = ["Answer", "Limits", "Question", "Running", "Warehouse"]
