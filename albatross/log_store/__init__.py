"""Events of log groups on disk, which the Lambda host writes and the API reads, writes and ends.

    logs/ACCOUNT/REGION/GROUP/group.json          what the group is: name, creation, retention, tags
                              TIME-WRITER.log     a segment: events of all streams, as they came
                              TIME-WRITER.index   what is where in a segment that is complete

Nothing else is between writer and reader: no lock, no message, no daemon.
"""
