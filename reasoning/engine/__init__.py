"""The only code that touches a model runtime. `open_engine` opens one; `base.Engine` is what all of them offer."""
