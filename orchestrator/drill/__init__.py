"""The drill: a campaign's laboratory is made to suffer one fault after the other, and what becomes of it is judged."""
