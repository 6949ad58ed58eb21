"""The accounts by which people speak: is what customers see of them complete, and are they well?"""
