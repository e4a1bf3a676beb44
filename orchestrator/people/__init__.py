"""People: their orders and answers on the way in, questions and messages on the way out (docs/operating.md)."""
