"""How each scenario is played with each kind of subject: a function a pair, by the scenario's name.

Each function is given a stage and returns both judgements. It raises NotApplicableError where the subject
cannot be brought into the situation, NotObservedError where this machine does not let it be made or seen.
"""
