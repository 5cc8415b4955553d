"""What ``manage.py benchmark`` measures, a module for each question."""
