"""What `basic` takes for equal, and what it does not: every choice, with examples that tests check."""

from typing import NamedTuple

Pair = tuple[str, str]


class Choice(NamedTuple):
    """A difference between texts that is ignored by `basic`, or one that resembles it and is not.

    `languages` says in which languages: of the row's field `lang`, or of an unknown one too (any); examples are of the
    first of them. `remark` says what surprises.
    """

    what: str
    equal: tuple[Pair, ...] = ()
    different: tuple[Pair, ...] = ()
    languages: tuple[str, ...] = ()
    remark: str = ""


CHOICES = (
    Choice("case", (("Good Morning", "good morning"), ("Ο ΛΟΓΟΣ", "ο λογος"), ("Straße", "STRASSE"))),
    Choice(
        "case of Turkish and Azeri",
        (
            ("IŞIK İSTANBUL İÇİN", "ışık istanbul için"),
            ("Işıq gəldi", "ışıq gəldi"),
            ("Instagram'ı", "instagram'ı"),
            ("İzmir", "i\u0307zmir"),
        ),
        (("kır", "kir"), ("ılık", "ilik")),
        remark="without `lang`, where one of both texts has an İ, ı or ğ; a borrowed word may keep its I",
    ),
    Choice("case of Turkish and Azeri", (("IRAK", "ırak"), ("KIZ", "kız")), (("kız", "kiz"),), ("tr", "az")),
    Choice(
        "accents of Greek capitals",
        (("ΚΑΛΗΜΕΡΑ ΚΟΣΜΕ", "καλημέρα κόσμε"),),
        (("νόμος", "νομός"), ("η", "ή")),
    ),
    Choice(
        "Unicode form, ligatures, wide and narrow characters",
        (
            ("cafe\u0301", "café"),
            ("ﬁnal oﬃce", "final office"),
            ("ＡＢＣ", "abc"),
            ("ﾃｽﾄ", "テスト"),
            ("ﻻ ﺇﻟﻪ", "لا إله"),
        ),
        (("cаt", "cat"), ("か", "が"), ("año", "ano"), ("schön", "schon")),
        remark="a Cyrillic а in a Latin word stays an error",
    ),
    Choice("œ and æ", (("cœur", "coeur"), ("Cæsar", "Caesar")), (("Bär", "Baer"),)),
    Choice("punctuation, symbols and emoji", (("“Well”—he said…", "well he said"), ("hello ❤️ 1️⃣", "hello 1"))),
    Choice(
        "kinds of apostrophe",
        (
            ("it’s ten o`clock", "it's ten o'clock"),
            ("wie geht´s", "wie geht's"),
            ("oʻzbek goʻzal", "o'zbek go'zal"),
            ("it‛s", "it's"),
            ("імʼя", "ім'я"),
            ("צ׳ק ג׳ירפה", "צ'ק ג'ירפה"),
            ("d′accord", "d'accord"),
        ),
        (("it's", "its"), ("we'll", "well"), ("l'avis", "lavis")),
    ),
    Choice(
        "hyphens, and words joined with or without one",
        (
            ("my t-shirt", "my t shirt"),
            ("e-mail", "email"),
            ("well\u2011known", "well known"),
            ("co\u00adoperate", "cooperate"),
            ("בית־ספר", "בית ספר"),
            ("צה״ל", 'צה"ל'),
            ("col·lega", "col-lega"),
        ),
        (("ice cream", "icecream"), ("3-5", "35"), ("a long while", "along while")),
        remark="where one of both has a hyphen, so `re-sign` and `resign` are equal too",
    ),
    Choice(
        "abbreviations with points",
        (("the U.S. army at 5 p.m.", "the US army at 5 pm"), ("a Ph.D.", "a PhD")),
        (("U S", "us"),),
    ),
    Choice("zero-width joiners", (("क्\u200dया हाल", "क्या हाल"), ("می\u200cروم", "میروم"), ("می\u200cروم", "می روم"))),
    Choice(
        "digits of all scripts",
        (("عندي ٣ كتب", "عندي 3 كتب"), ("पास ५ सेब", "पास 5 सेब"), ("๑๒", "12"), ("೪೫", "45"), ("۲۵", "25"), ("５", "5")),
        (("٣", "4"),),
    ),
    Choice(
        "thousands separators",
        (
            ("1,000 dollars", "1000 dollars"),
            ("1.000.000", "1000000"),
            ("1'000", "1000"),
            ("1 000", "1000"),
            ("1\u00a0000", "1000"),
            ("1.000", "1000"),
            ("1,234.56", "1234.56"),
        ),
        (("1,000", "1,00"), ("3.5", "35"), ("3.141", "3141"), ("0.250", "250"), ("1,00,000", "1000"), ("-5", "5")),
        remark="groups of three digits; without `lang`, one point before three digits is a decimal mark unless they "
        "end in 0",
    ),
    Choice("thousands separators", (("3.141", "3141"),), (("3,141", "3141"),), ("de", "es", "…")),
    Choice("thousands separators", (("3,141", "3141"),), (("3.141", "3141"), ("1.000", "1000")), ("en",)),
    Choice(
        "numbers in words or digits",
        (
            ("25 apples", "twenty-five apples"),
            ("in 1984", "in nineteen eighty-four"),
            ("105", "one hundred and five"),
            ("the 1st of May", "the first of May"),
            ("3.5", "three point five"),
            ("0.5", "point five"),
            ("room 555", "room five five five"),
        ),
        (("25", "twenty six"), ("5", "fifth"), ("15", "fifty"), ("1st", "one"), ("-5", "five")),
        ("en", "ar", "de", "es", "fr", "hi", "ja", "ru", "zh", "…"),
        "in the 80 languages of Unicode's rules, in every gender, case and region; what the reference has stays",
    ),
    Choice("numbers in words or digits", (("25 Äpfel", "fünfundzwanzig Äpfel"), ("1.000", "tausend")), (), ("de",)),
    Choice("numbers in words or digits", (("в 25 случаях", "в двадцати пяти случаях"),), (), ("ru",)),
    Choice(
        "numbers in words or digits",
        (("25个人", "二十五个人"), ("2024年", "二零二四年"), ("2024年", "二〇二四年")),
        (),
        ("zh",),
    ),
    Choice("numbers in words or digits", (("71", "soixante et onze"), ("71", "septante et un")), (), ("fr",)),
    Choice("numbers in words or digits", (), (("25 apples", "twenty-five apples"),), remark="no language, no words"),
    Choice(
        "decades, fractions and prices",
        (
            ("the 1990s", "the nineteen nineties"),
            ("in the ’80s", "in the eighties"),
            ("½ a mile", "half a mile"),
            ("2½ years", "two and a half years"),
            ("¾", "three quarters"),
            ("it costs $5.50", "it costs five dollars and fifty cents"),
            ("£3.01", "three pounds and one penny"),
            ("$5.50", "five fifty"),
        ),
        (("1990s", "nineteen ninety"), ("½", "a quarter"), ("$5.50", "five dollars")),
        ("en",),
    ),
    Choice(
        "abbreviated units",
        (
            ("10 km", "ten kilometers"),
            ("10km", "10 kilometres"),
            ("50 km/h", "fifty kilometers per hour"),
            ("1 kg", "one kilogram"),
        ),
        (("10 km", "ten"), ("10 km", "ten miles")),
        ("en", "de", "es", "fr", "ru", "…"),
    ),
    Choice("abbreviated units", (("10 km", "zehn Kilometer"), ("2,5 kg", "zwei Komma fünf Kilogramm")), (), ("de",)),
    Choice(
        "signs of currencies and units, and &",
        (
            ("it costs €5", "it costs five euros"),
            ("$1,000", "a thousand dollars"),
            ("$5 million", "five million dollars"),
            ("5 %", "five percent"),
            ("20 °C", "twenty degrees Celsius"),
            ("rock & roll", "rock and roll"),
        ),
        (("€5", "5 dollars"), ("5 %", "five dollars"), ("a & b", "a or b")),
        ("en", "de", "es", "fr", "ru", "…"),
    ),
    Choice(
        "signs of currencies and units, and &", (("5 €", "fünf Euro"), ("Mann & Maus", "Mann und Maus")), (), ("de",)
    ),
    Choice(
        "markup of corpora and captions",
        (
            ("HELLO THERE <COMMA> GOOD MORNING <PERIOD>", "hello there good morning"),
            ("<SIL> yes <unk>", "yes"),
            ("[noise] yes (laughter) {cough} ((unintelligible))", "yes"),
            ("[Musik] ja *lacht*", "ja"),
            ("[inaudible 00:01:02] yes (upbeat music)", "yes"),
            ("[laughter-yes] i know", "yes i know"),
            ("<v Ann>hello</v> {\\an8}there", "hello there"),
            ("<|en|><|0.00|>hello<|endoftext|>", "hello"),
            ("salt &amp; pepper&#39;s", "salt & pepper's"),
            ("an <i>old</i> hat", "an old hat"),
            ("▁hello▁there ⁇", "hello there"),
        ),
        (("he said (quietly) yes", "he said yes"), ("a < b and c > d", "a d"), ("[hello] there", "there")),
        remark="tags; in brackets, names of sounds",
    ),
    Choice(
        "Arabic vowel marks, tatweel, and hamza on alef",
        (("يَا أَيُّهَا النَّاسُ", "يا أيها الناس"), ("الكتـــاب", "الكتاب"), ("أحمد إلى", "احمد الى")),
        (("أن", "إن"), ("على", "علي"), ("مدرسة", "مدرسه")),
        remark="hamza where one of both texts has none",
    ),
    Choice(
        "Arabic and Persian letters of the same look",
        (("كتابي", "کتابی"), ("ہم", "هم")),
        (("پ", "ب"),),
        remark="not ي in Pashto, which has both",
    ),
    Choice("Arabic and Persian letters of the same look", (("كار", "کار"),), (("سړي", "سړی"),), ("ps",)),
    Choice(
        "Hebrew vowel points",
        (("שָׁלוֹם עוֹלָם", "שלום עולם"),),
        (("שלום", "שלומ"),),
        remark="not in Yiddish, which spells with them",
    ),
    Choice("Hebrew vowel points", (), (("פֿאַן", "פּאַן"),), ("yi",)),
    Choice(
        "Indic letters with two encodings",
        (("അവന്\u200d", "അവൻ"), ("क\u093cलम", "\u0958लम"), ("हिन्दी", "हिंदी"), ("എൻ്റെ", "എന്റെ")),
        (("की", "कि"), ("हिन्दी", "हिदी"), ("राज़", "राज"), ("മല", "മാല")),
        remark="vowel signs and nukta are letters",
    ),
    Choice(
        "ё",
        (("ещё", "еще"),),
        (("й", "и"),),
        remark="not in Belarusian, Kazakh, Mongolian, Tajik and others, which tell them apart",
    ),
    Choice("ё", (), (("нёс", "нес"),), ("be", "kk", "mn", "tg", "…")),
    Choice("cedilla for comma below", (("ştiinţă", "știință"),), (("știință", "stiinta"),)),
    Choice("place of Vietnamese tones", (("hòa thúy", "hoà thuý"),), (("hòa", "hóa"), ("ma", "mà"), ("đo", "do"))),
    Choice("Armenian yev", (("ես և դու", "ես եւ դու"), ("ԵՎ", "և"))),
    Choice(
        "Thai and Lao characters typed in parts", (("น\u0e4d\u0e49า", "น\u0e49\u0e33"), ("เเม่", "แม่")), (("ปา", "ป่า"),)
    ),
    Choice(
        "spaces of scripts without spaces",
        (("今天 天气 很 好", "今天天气很好"), ("我 用 python 写", "我用python写"), ("ราคา เท่าไร", "ราคาเท่าไร")),
        (("今天天气", "今天天氣"), ("人々", "人人")),
        remark="Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan",
    ),
    Choice(
        "spaces of Korean",
        (("커피 마실래 지금", "커피마실래 지금"),),
        (("커피", "코피"),),
        remark="those of the reference count, because writers space differently",
    ),
    Choice(
        "scripts of one language", (), (("Београд", "Beograd"),), remark="a transcript in another script is an error"
    ),
)
