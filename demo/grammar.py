"""The sentences of the demo: numbers, times, dates, places and commands, drawn from a small grammar.

Each function is a rule of the grammar and returns a random phrase.
"""

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


def below_hundred(rng: Random) -> str:
    n = rng.randrange(100)
    if n < 10:
        return DIGITS[n]
    if n < 20:
        return TEENS[n - 10]
    tens = TENS[n // 10 - 2]
    return tens if n % 10 == 0 else f"{tens} {DIGITS[n % 10]}"


def number(rng: Random) -> str:
    match rng.randrange(4):
        case 0:
            return f"{rng.choice(DIGITS[1:])} hundred and {below_hundred(rng)}"
        case 1:
            return f"{rng.choice(DIGITS[1:])} thousand {rng.choice(DIGITS[1:])} hundred"
        case _:
            return below_hundred(rng)


def digits(rng: Random) -> str:
    return " ".join(rng.choices(DIGITS, k=rng.randint(3, 8)))


def time(rng: Random) -> str:
    hour = rng.choice(DIGITS[1:] + TEENS[:3])
    return rng.choice(
        [
            f"{hour} o'clock",
            f"half past {hour}",
            f"a quarter to {hour}",
            f"a quarter past {hour}",
            f"{hour} {rng.choice(TENS[:4])} in the {rng.choice(['morning', 'evening', 'afternoon'])}",
            "noon",
            "midnight",
        ]
    )


def date(rng: Random) -> str:
    return rng.choice(
        [
            rng.choice(DAYS),
            f"{rng.choice(DAYS)} the {rng.choice(ORDINALS)} of {rng.choice(MONTHS)}",
            f"the {rng.choice(ORDINALS)} of {rng.choice(MONTHS)}",
            f"{rng.choice(['next', 'last', 'this'])} {rng.choice(DAYS)}",
            "tomorrow",
            "yesterday",
        ]
    )


def command(rng: Random) -> str:
    where = f"in the {rng.choice(ROOMS)}"
    device = rng.choice(DEVICES)
    return rng.choice(
        [
            f"turn {rng.choice(['on', 'off'])} the {device} {where}",
            f"please {rng.choice(['open', 'close', 'check', 'repair', 'clean'])} the {device} {where}",
            f"set the {device} to {number(rng)}",
            f"make the {device} {where} {rng.choice(COLOURS)}",
            f"wake me {rng.choice(['up at', 'before'])} {time(rng)}",
            f"call {rng.choice(PEOPLE)} {rng.choice(['now', 'again', 'later', 'at ' + time(rng)])}",
            f"play something {rng.choice(['quiet', 'loud', 'cheerful', 'slow'])} {where}",
            rng.choice(["stop", "go back", "louder please", "not now", "start again", "cancel that"]),
        ]
    )


def travel(rng: Random) -> str:
    origin, destination = rng.sample(CITIES, 2)
    vehicle = rng.choice(["train", "flight", "bus", "ferry"])
    return rng.choice(
        [
            f"the {vehicle} from {origin} to {destination} leaves at {time(rng)}",
            f"how far is it from {origin} to {destination}",
            f"book a {vehicle} to {destination} for {date(rng)}",
            f"the next {vehicle} to {destination} is {number(rng)} minutes late",
            f"platform {rng.choice(DIGITS[1:])} for {destination}",
            f"it is {rng.choice(WEATHER)} and {below_hundred(rng)} degrees in {origin}",
            f"will it be {rng.choice(WEATHER)} in {destination} {date(rng)}",
        ]
    )


def errand(rng: Random) -> str:
    person, thing = rng.choice(PEOPLE), rng.choice(THINGS)
    return rng.choice(
        [
            f"{person} {rng.choice(['bought', 'lost', 'found', 'sold'])} a {rng.choice(COLOURS)} {thing}",
            f"send the {thing} to {person} before {date(rng)}",
            f"my number is {digits(rng)}",
            f"the code for the {rng.choice(ROOMS)} is {digits(rng)}",
            f"{person} wants {rng.choice(DISHES)} and {rng.choice(DISHES)} for breakfast",
            f"remind {person} about the {thing} on {date(rng)}",
            f"we need {number(rng)} dollars for the {thing}",
            f"there are {below_hundred(rng)} people in the {rng.choice(ROOMS)}",
            f"meet {person} in {rng.choice(CITIES)} on {date(rng)} at {time(rng)}",
        ]
    )


CLAUSES: list[Callable[[Random], str]] = [command, travel, errand]


def sentence(rng: Random) -> str:
    """Return a sentence of one to four clauses in lower case without punctuation, about 1 to 15 s when spoken."""
    clauses = rng.choices([1, 2, 3, 4], weights=[66, 24, 7, 3])[0]
    return f" {rng.choice(['and', 'but first', 'then'])} ".join(rng.choice(CLAUSES)(rng) for _ in range(clauses))
