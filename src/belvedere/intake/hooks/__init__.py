"""What SFTPGo tells of files, by HTTP and by command: taken in once, answered at once, looked at later."""
