"""What is measured. Each module runs in an environment of its own, and makes an export by ``run(export)``; what it
imports for that is imported with the module, which is not measured.
"""
