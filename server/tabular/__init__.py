"""Files of people's making, read as tables: CSV and XLSX, columns by their names, whole or not at all."""
