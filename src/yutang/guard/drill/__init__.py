"""封号演练: who is still reached, and how, if an account, a corp or a channel is gone; the plan to reach the rest."""
