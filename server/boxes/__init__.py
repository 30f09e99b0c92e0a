"""Boxes: registry, enrolment, the door on which they deliver, their health and signed logs."""
