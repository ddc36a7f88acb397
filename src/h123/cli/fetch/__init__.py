"""`h123 fetch`: curl's names and manners, over this stack."""
