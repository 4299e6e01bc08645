"""A small model of what reminders are, and the steps that it takes."""

from dataclasses import dataclass, field, replace

from worker.states import MessageState

Reminder = tuple[int, int, int]  # key, hours before, hour of the appointment


@dataclass(frozen=True)
class File:
    """One run: appointments by key, keys whose number is wrong or another, offsets, and when it is killed."""

    appointments: dict[int, int]
    bad: frozenset[int]
    other: frozenset[int]
    befores: tuple[int, ...]
    keeps_removed: bool
    killed_at: int | None


@dataclass(frozen=True)
class Pass:
    """So many hours go by; then what is due leaves, each with what becomes of it."""

    hours: int
    fates: tuple[MessageState, ...]


@dataclass(frozen=True)
class Bounce:
    """What was on its way is refused for now, and queued again."""


@dataclass(frozen=True)
class Refuse:
    """What is queued of some keys is refused for good where it goes."""

    keys: frozenset[int]


@dataclass(frozen=True)
class Correct:
    """The last file is given again, with other numbers."""

    other: frozenset[int]


Step = File | Pass | Bounce | Refuse | Correct


@dataclass
class Model:
    """What is queued, and what has left, been given up or is on its way; and which go to the other number."""

    now: int = 0
    queued: set[Reminder] = field(default_factory=set)
    elsewhere: set[Reminder] = field(default_factory=set)
    gone: set[Reminder] = field(default_factory=set)
    flying: set[Reminder] = field(default_factory=set)  # of these
    called_back: set[Reminder] = field(default_factory=set)  # of these
    refused: dict[Reminder, bool] = field(default_factory=dict)  # whether at the other number

    last: File | None = None

    def corrected(self, step: Correct) -> File | None:
        """Return the last file with other numbers."""
        return self.last and replace(self.last, other=step.other)

    def read(self, file: File) -> None:
        """Let what is queued be what a file asks for."""
        self.last = file
        good = {key: at for key, at in file.appointments.items() if key not in file.bad}
        if not good:
            return
        kept = {each for each in self.queued if self._stays(each, file, good)}
        kept -= {each for each in kept if self._is_astray(each, file, good)}
        ahead = {(key, b, at) for key, at in good.items() for b in file.befores if at - b > self.now}
        belated = self.belated(file)
        for each in (ahead | belated) & self.refused.keys():
            if self.refused[each] != (each[0] in file.other):  # its number was corrected
                del self.refused[each]
        wanted = (ahead | belated) - self.gone - self.refused.keys()
        for each in self.flying:
            key, before, at = each
            if self._is_astray(each, file, good):
                self.called_back.add(each)
            elif key in good and before in file.befores and good[key] == at:
                self.called_back.discard(each)
            elif not self._stays(each, file, good):
                self.called_back.add(each)
        self.queued = kept | wanted
        self.elsewhere = {each for each in self.elsewhere - wanted if each in self.queued | self.flying}
        self.elsewhere |= {each for each in wanted if each[0] in file.other}

    def belated(self, file: File) -> set[Reminder]:
        """Return the last of appointments ahead that are past, and wait or came to nothing elsewhere."""
        last = min(file.befores)
        found = {(key, last, at) for key, at in file.appointments.items() if at - last <= self.now < at}
        goes_elsewhere = self.refused | {each: each in self.elsewhere for each in self.queued}
        return {
            each
            for each in found & goes_elsewhere.keys()
            if each[0] not in file.bad and goes_elsewhere[each] != (each[0] in file.other)
        }

    def _is_astray(self, reminder: Reminder, file: File, good: dict[int, int]) -> bool:
        """Say whether a reminder is past and for a number that its row names no more."""
        key, before, at = reminder
        is_asked = good.get(key) == at and before in file.befores and at - before <= self.now
        return is_asked and (reminder in self.elsewhere) != (key in file.other)

    def _stays(self, reminder: Reminder, file: File, good: dict[int, int]) -> bool:
        key, before, at = reminder
        if key in good and before in file.befores:
            return good[key] == at
        is_unclear = key in file.appointments and key in file.bad
        return is_unclear or file.keeps_removed

    def due(self) -> set[Reminder]:
        """Return what may leave now."""
        return {each for each in self.queued if each[2] - each[1] <= self.now < each[2]}

    def leave(self, fates: dict[Reminder, MessageState]) -> None:
        """Let some leave, each with its fate."""
        self.queued -= set(fates)
        nothing = {each for each, fate in fates.items() if fate is MessageState.FAILED}
        self.refused |= {each: each in self.elsewhere for each in nothing}
        self.gone |= set(fates) - nothing
        self.flying |= {each for each, fate in fates.items() if fate is MessageState.SUBMITTING}

    def refuse(self, keys: frozenset[int]) -> None:
        """Let what is queued of some keys come to nothing."""
        found = {each for each in self.queued if each[0] in keys}
        self.queued -= found
        self.refused |= {each: each in self.elsewhere for each in found}

    def bounce(self) -> None:
        """Queue again what is on its way; what was called back is cancelled, as if it had never been."""
        self.queued |= self.flying - self.called_back
        self.gone -= self.flying
        self.flying, self.called_back = set(), set()
