"""What every page shares: the user of a request, language, templates, navigation, errors."""
