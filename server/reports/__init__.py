"""Reports of a province: one content, written as DOCX, PDF and XLSX."""
