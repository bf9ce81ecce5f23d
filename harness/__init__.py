"""How it is measured: workers, certificates, the schedule, the result document. Imports no framework."""
