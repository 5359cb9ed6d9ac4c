"""What is said in the demo: numbers, times, dates, places and commands, from a grammar of our own."""

from collections.abc import Callable
from random import Random

DIGITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = "january february march april may june july august september october november december".split()
CITIES = (
    "london paris berlin madrid rome vienna dublin oslo lisbon prague athens warsaw moscow cairo tokyo "
    "sydney boston chicago dallas denver houston toronto montreal havana lima"
).split()
ROOMS = "kitchen bedroom bathroom garden garage office cellar hallway attic library".split()
DEVICES = "light lamp heater radio television fan oven window door blinds camera alarm".split()
COLOURS = "red blue green yellow white black orange purple brown silver".split()
THINGS = "ticket table parcel letter invoice taxi bicycle blanket mirror umbrella basket hammer ladder".split()
DISHES = "soup salad bread butter cheese rice chicken coffee lemonade pancakes".split()
PEOPLE = "anna peter martha oliver sophie victor julia hannah simon gregory emma nathan".split()
WEATHER = "sunny cloudy windy rainy snowy foggy stormy".split()


def below_hundred(pick: Random) -> str:
    n = pick.randrange(100)
    if n < 10:
        return DIGITS[n]
    if n < 20:
        return TEENS[n - 10]
    tens = TENS[n // 10 - 2]
    return tens if n % 10 == 0 else f"{tens} {DIGITS[n % 10]}"


def number(pick: Random) -> str:
    match pick.randrange(4):
        case 0:
            return f"{pick.choice(DIGITS[1:])} hundred and {below_hundred(pick)}"
        case 1:
            return f"{pick.choice(DIGITS[1:])} thousand {pick.choice(DIGITS[1:])} hundred"
        case _:
            return below_hundred(pick)


def digits(pick: Random) -> str:
    return " ".join(pick.choices(DIGITS, k=pick.randint(3, 8)))


def time(pick: Random) -> str:
    hour = pick.choice(DIGITS[1:] + TEENS[:3])
    return pick.choice(
        [
            f"{hour} o'clock",
            f"half past {hour}",
            f"a quarter to {hour}",
            f"a quarter past {hour}",
            f"{hour} {pick.choice(TENS[:4])} in the {pick.choice(['morning', 'evening', 'afternoon'])}",
            "noon",
            "midnight",
        ]
    )


def date(pick: Random) -> str:
    return pick.choice(
        [
            pick.choice(DAYS),
            f"{pick.choice(DAYS)} the {pick.choice(ORDINALS)} of {pick.choice(MONTHS)}",
            f"the {pick.choice(ORDINALS)} of {pick.choice(MONTHS)}",
            f"{pick.choice(['next', 'last', 'this'])} {pick.choice(DAYS)}",
            "tomorrow",
            "yesterday",
        ]
    )


def command(pick: Random) -> str:
    where = f"in the {pick.choice(ROOMS)}"
    device = pick.choice(DEVICES)
    return pick.choice(
        [
            f"turn {pick.choice(['on', 'off'])} the {device} {where}",
            f"please {pick.choice(['open', 'close', 'check', 'repair', 'clean'])} the {device} {where}",
            f"set the {device} to {number(pick)}",
            f"make the {device} {where} {pick.choice(COLOURS)}",
            f"wake me {pick.choice(['up at', 'before'])} {time(pick)}",
            f"call {pick.choice(PEOPLE)} {pick.choice(['now', 'again', 'later', 'at ' + time(pick)])}",
            f"play something {pick.choice(['quiet', 'loud', 'cheerful', 'slow'])} {where}",
            pick.choice(["stop", "go back", "louder please", "not now", "start again", "cancel that"]),
        ]
    )


def travel(pick: Random) -> str:
    here, there = pick.sample(CITIES, 2)
    vehicle = pick.choice(["train", "flight", "bus", "ferry"])
    return pick.choice(
        [
            f"the {vehicle} from {here} to {there} leaves at {time(pick)}",
            f"how far is it from {here} to {there}",
            f"book a {vehicle} to {there} for {date(pick)}",
            f"the next {vehicle} to {there} is {number(pick)} minutes late",
            f"platform {pick.choice(DIGITS[1:])} for {there}",
            f"it is {pick.choice(WEATHER)} and {below_hundred(pick)} degrees in {here}",
            f"will it be {pick.choice(WEATHER)} in {there} {date(pick)}",
        ]
    )


def errand(pick: Random) -> str:
    person, thing = pick.choice(PEOPLE), pick.choice(THINGS)
    return pick.choice(
        [
            f"{person} {pick.choice(['bought', 'lost', 'found', 'sold'])} a {pick.choice(COLOURS)} {thing}",
            f"send the {thing} to {person} before {date(pick)}",
            f"my number is {digits(pick)}",
            f"the code for the {pick.choice(ROOMS)} is {digits(pick)}",
            f"{person} wants {pick.choice(DISHES)} and {pick.choice(DISHES)} for breakfast",
            f"remind {person} about the {thing} on {date(pick)}",
            f"we need {number(pick)} dollars for the {thing}",
            f"there are {below_hundred(pick)} people in the {pick.choice(ROOMS)}",
            f"meet {person} in {pick.choice(CITIES)} on {date(pick)} at {time(pick)}",
        ]
    )


CLAUSES: list[Callable[[Random], str]] = [command, travel, errand]


def sentence(pick: Random) -> str:
    """One utterance of one to four clauses, in lower case without punctuation, about 1 to 15 s when spoken."""
    clauses = pick.choices([1, 2, 3, 4], weights=[66, 24, 7, 3])[0]
    return f" {pick.choice(['and', 'but first', 'then'])} ".join(pick.choice(CLAUSES)(pick) for _ in range(clauses))
