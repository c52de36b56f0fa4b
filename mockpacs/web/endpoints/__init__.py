"""The endpoints, a module for each subject: its ROUTES are collected by `mockpacs.web.api`."""
