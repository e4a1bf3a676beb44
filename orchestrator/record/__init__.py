"""The record: where a campaign's journal and tables live, who may write them, and what holds when the disk does not.

stores.py      SQLite beside the measurements, or a schema of a PostgreSQL database
postgres.py    connections to PostgreSQL whose every wait is bounded
migrating.py   tables of an older version
owners.py      who a controller is, and whether it is certain that another one is gone
lease.py       one controller at a time: an epoch that fences every earlier one
writing.py     one transaction of the journal, tried again only where it is known not to have been committed
faults.py      what a database's error means: wait for it, or say what to do
space.py       free space, and a reserve for the last entries
ports.py       one campaign at a time on each real port of this machine
"""
