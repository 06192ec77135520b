"""What rates, sizes and times the two libraries answer: a model of each, which follows a session call by call and checks whether
an answer is one that it has.

Both take a sample clock of whole ticks, multiplied by a scale where there are more than 40, and as many samples as fit. The
vendor's library has oddities on top, which `Timebase.reason` names. It may have several answers, where its arithmetic is at
the edge of a clock: then all of them are followed until one of its answers settles which.
"""

import math

CLOCK_HZ = 40e6
FAST, DUAL, MIXED, LOGIC, STREAM = range(5)
# Samples of a channel that the buffer holds, ticks of the fastest one.
BUFFER = {FAST: 12288, DUAL: 6144, MIXED: 6144, LOGIC: 12288}
FASTEST = {FAST: 2, DUAL: 8, MIXED: 2, LOGIC: 1}
# Of period and scale, where they are compared with whole numbers.
LAST_BIT = 1e-9
ASK = -1

EDGE = "the vendor's library rounds half a sample, or a whole one, either way"
CLOCK = "the vendor's library takes another clock than the one it answers"
INTRO = "behind an intro the vendor's library has no rates without pre-trigger samples"
GAP = "6 and 7 ticks: no mode has them"
REASONS = (None, EDGE, CLOCK, GAP, INTRO)


def same(one, other):
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or abs(one - other) <= 1e-9 * max(abs(one), abs(other))


class Timebase:
    """What is set up, as far as the answers show: periods in ticks, each with a size."""

    def __init__(self, oddities):
        self.oddities = oddities
        self.mode, self.channel, self.on, self.has_intro = FAST, 0, [False, False], False
        self.states = {(FASTEST[FAST], BUFFER[FAST])}
        self.reason = None

    def answers(self, call, answer):
        """Whether `answer` is one that the library has to `call`; goes on from it either way."""
        name, *arguments = call
        if name == "Select" and arguments[0] == 1 and answer >= 0:
            self.channel = answer
        elif name == "Enable" and self.channel < 2:
            self.on[self.channel] = bool(arguments[0])
        elif name == "Intro" and answer > 0:
            self.has_intro = True
        elif name == "Mode" and answer not in (ASK, self.mode):
            self.mode = answer
            if answer != STREAM:
                both = 2 if answer == MIXED and all(self.on) else 1
                self.states = {(FASTEST[answer] * both, BUFFER[answer])}
        elif name in ("Rate", "Size", "Time") and self.mode != STREAM:
            return self.timed(name, arguments[0], answer)
        return True

    def timed(self, name, argument, answer):
        follow = {"Rate": self.rate, "Size": self.size, "Time": self.time}[name]
        found = {}
        for self.reason in REASONS if self.oddities else REASONS[:1]:
            states = {state for state, shown in follow(argument) if same(shown, answer)}
            if states:
                found[self.reason] = states
        if found:
            self.reason = next(iter(found))
            self.states = set().union(*found.values())
            return True
        # From here on as it answers.
        if answer > 0:
            self.states = {
                (round(CLOCK_HZ / answer), size) if name == "Rate"
                else (period, answer) if name == "Size"
                else (period, round(answer * CLOCK_HZ / period))
                for period, size in self.states
            }  # fmt: skip
        return False

    def families(self):
        """What clocks there are: the fewest ticks, and whether 6 and 7 are left out."""
        both = [False, True] if self.mode == MIXED and all(self.on) else [False]
        # The one of both channels shows when the rate is set the next time.
        for two in both:
            with_gap = self.mode in (FAST, MIXED) and not two and self.reason in (GAP, INTRO)
            yield (4 if two or self.mode == DUAL else FASTEST[self.mode]), not with_gap and self.mode != LOGIC
            if self.has_intro and self.reason == INTRO:
                yield {FAST: 6, DUAL: 8, MIXED: 8 if two else 6, LOGIC: 4}[self.mode], two or self.mode == DUAL

    def interleaved(self):
        return 2 if self.mode == DUAL else 1

    def clocks(self, ticks, rounded):
        """The clocks next to a period: those on both sides of it where it is one, but for the last bit."""
        for fewest, leaves_gap in self.families():
            for nearly in (ticks * (1 - LAST_BIT), ticks * (1 + LAST_BIT), ticks * (1 + 4 * LAST_BIT)):
                if self.mode == LOGIC:
                    yield min(max(rounded(nearly), fewest), 16384)
                    continue
                each = nearly / self.interleaved()
                scale = min(max(1, math.ceil(each / 40 * (1 - 2 * LAST_BIT))), 65536)
                count = min(max(rounded(each / scale), fewest), 40)
                if 5 < count < 8 and leaves_gap:
                    count = 5 if rounded is math.floor else 8
                yield count * scale * self.interleaved()

    def taken(self, period):
        """The clocks that are taken for one that was answered."""
        yield period
        if self.reason in (CLOCK, GAP, INTRO):
            yield from self.clocks(period, math.ceil)

    def now(self):
        """The states with the clocks that channels and an intro have slowed down since."""
        for period, size in self.states:
            yield period, size
            for fewest, _ in self.families():
                yield max(period, fewest * self.interleaved()), size

    def rate(self, rate):
        """States with the rate that is answered in them."""
        if rate == ASK:
            yield from ((state, CLOCK_HZ / state[0]) for state in self.now())
            return
        most = BUFFER[self.mode]
        for _, size in self.states:
            if math.isnan(rate) or rate <= 0:
                periods = [fewest * self.interleaved() for fewest, _ in self.families()]
            else:
                # A logic trace beyond the buffer is as long at the new rate.
                longer = max(1, size / most) if self.mode == LOGIC else 1
                periods = self.clocks(CLOCK_HZ / rate * longer, math.floor)
            yield from (((period, size), CLOCK_HZ / period) for period in periods)

    def sizes(self, period, size):
        """The periods and sizes of a trace of so many samples."""
        most = BUFFER[self.mode]
        for clock in self.taken(period) if size <= most else self.clocks(size * period / most, math.ceil):
            for count in self.counts(size * period / clock):
                yield clock, count

    def counts(self, samples):
        """The whole numbers that so many samples are rounded to."""
        is_half = self.reason and abs(samples % 1 - 0.5) < LAST_BIT * samples
        yield from (math.floor(samples), math.ceil(samples)) if is_half else (max(1, round(samples)),)

    def size(self, size):
        for period, known in self.now():
            if size == ASK:
                yield (period, known), known
                continue
            for _, found in self.sizes(period, size or BUFFER[self.mode]):
                yield (period, found), found

    def time(self, time_s):
        for period, size in self.now():
            if time_s == ASK:
                yield from (((period, size), size * clock / CLOCK_HZ) for clock in self.taken(period))
                continue
            for edge in (1 + 1e-12, 1 - LAST_BIT) if self.reason else (1 + 1e-12,):
                yield from self.fitting(math.floor(time_s * CLOCK_HZ / period * edge), period)

    def fitting(self, asked, period):
        """States and times of a trace of so many samples, or of as many as the buffer holds if that is none."""
        most = BUFFER[self.mode]
        if asked <= most:
            for clock, count in self.sizes(period, asked if asked >= 1 else most):
                # It goes on with either.
                yield from (((kept, count), count * clock / CLOCK_HZ) for kept in (clock, period))
            return
        for slower in self.clocks(asked * period / most, math.ceil):
            for clock in self.taken(slower):
                for count in self.counts(asked * period / clock):
                    yield from (((kept, count), count * clock / CLOCK_HZ) for kept in (clock, slower))
