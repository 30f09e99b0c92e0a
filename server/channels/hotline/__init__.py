"""The hotline's operator."""
