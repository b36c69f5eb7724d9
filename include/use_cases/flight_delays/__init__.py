"""Will a flight from New York's airports arrive more than 15 minutes late?"""
