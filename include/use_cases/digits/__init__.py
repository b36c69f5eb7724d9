"""Handwritten digits of federal forms: which digit is written in a scanned field?"""
