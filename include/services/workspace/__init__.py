"""A person's workspace: JupyterLab and a desktop in the browser, with the project's environment. ADR 0031."""
