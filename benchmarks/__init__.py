"""How fast the release manager is, beside plain helm and the Helm SDK; see README.md."""
