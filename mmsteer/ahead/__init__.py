"""Pictures drawn ahead: a tour of a bank, and what each of its features does, so that a page shows them before any model is loaded."""
