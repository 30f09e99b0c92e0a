"""The online questionnaire: links, QR sheets, pages."""
