"""Memory that can be believed: certificates, leak verdicts with their follow-ups, planted truths,
cases.
"""
