# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a caption's words need in the picture: the table of grounded captions, written into a model's config.json.

    python -m models.training.grounding --model models/nano [--check captions.txt]

`--check` prints, for a file of captions, how often each entry is said and which frequent words are in no entry.

A word needs one class or several at once (a skateboarder: person and skateboard), or the best of a group of classes
(vehicle, animal). The longest phrase wins, so that "hot dog" is no dog and "bus stop" needs nothing. Words of two meanings:

| word | what is done |
|---|---|
| train, bear, mouse, tie, bat | count after an article, a number, a possessive, an adjective, or where the next word settles it (bear cub) |
| orange | mostly a colour, also after an article: only "oranges" counts |
| glass, glasses | a material, spectacles: only "wine glass" counts |
| plant, bag, desk, scooter, stool, glove, screen, plate, board, wine, chicken,
turkey, fan, coach, pitcher, cook, lab, seat, calves, police, band | not at all |
| couple, ski, baby, bus, soccer ... | need nothing where the next word settles it: "couple of", "ski lift", "baby carriage" |
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.reference.captions import Ranking
from models.reference.config import Config
from models.reference.grounding import Grounding
from models.reference.tokenizer import WordPiece

DETERMINERS = """
a an the one two three four five six seven eight nine ten this that these those his her their its my your some several many
white black red blue green yellow orange brown gray grey silver pink purple striped small large big long old new little young
tall short wooden electric moving parked colorful modern
""".split()

GROUPS: dict[str, list[str]] = {
    "vehicle": ["bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"],
    "road vehicle": ["car", "motorcycle", "bus", "truck"],
    "car or truck": ["car", "truck"],
    "bike": ["bicycle", "motorcycle"],
    "tram": ["train", "bus"],
    "mount": ["horse", "bicycle", "motorcycle", "elephant", "cow"],
    "animal": ["bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"],
    "grazing animal": ["horse", "sheep", "cow", "elephant", "zebra", "giraffe"],
    "baseball gear": ["sports ball", "baseball bat", "baseball glove"],
    "tennis gear": ["tennis racket", "sports ball"],
    "computer": ["laptop", "tv", "keyboard"],
    "fruit": ["banana", "apple", "orange"],
    "vegetable": ["broccoli", "carrot"],
    "pastry": ["donut", "cake"],
    "cutlery": ["fork", "knife", "spoon"],
    "furniture": ["chair", "couch", "bed", "dining table", "bench"],
}

# A + stands for the plural in s: "dog+" is dog and dogs.
PERSON = """
person+ people man men woman women boy+ girl+ child children kid+ baby babies toddler+ infant+ lady ladies guy+ gentleman
gentlemen male+ female+ adult+ teen+ teenager+ youth+ youngster+ couple couples crowd+ someone somebody human+ friend+ family
families father+ mother+ dad+ mom+ son+ daughter+ brother+ sister+ husband+ wife bride+ groom bridesmaid+ parent+ grandmother
grandfather team teammate+ player+ athlete+ worker+ employee+ pedestrian+ performer+ dancer+ musician+ guitarist+ drummer+
singer+ actor+ artist+ clown+ student+ teacher+ doctor+ nurse+ soldier+ officer+ policeman policemen fireman firemen
firefighter+ chef+ waiter+ waitress bartender vendor+ customer+ shopper+ tourist+ visitor+ spectator+ onlooker+ bystander+
audience hiker+ climber+ swimmer+ diver+ runner+ jogger+ racer+ golfer+ gymnast+ wrestler+ boxer+ fisherman fishermen goalie+
goalkeeper+ batter+ catcher umpire+ referee+ cheerleader+ driver+ passenger+ pilot+ conductor photographer+ cowboy+ cowgirl+
farmer+ businessman businessmen citizen+ waitresses catchers groomsmen coworker+ ballplayer+ ballerina+ busker+ skater+
rollerblader+ rollerskater+ wakeboarder+ waterskier+ footballer+ fighter+ protester+ cameraman cameramen barber+ butcher+
painter+ carpenter+ technician+ trainer+ instructor+ scientist+ dentist+ welder+ juggler+ bowler+ camper+ commuter+ villager+
reporter+ violinist+ bassist+ vocalist+ owner+ member+ volunteer+ schoolgirl+ schoolboy+ workman workmen cop+ guard+ monk+
skydiver+ parasailer+ paraglider+ breakdancer+ mountaineer+ competitor+ participant+ attendee+ elder+ leader+ boarder+ individual+ newlywed+
"""
DOG = """
dog+ puppy puppies pup+ doggy poodle+ greyhound+ retriever+ terrier+ husky huskies collie+ bulldog+ dalmatian+ labrador+
beagle+ chihuahua+ dachshund+ rottweiler+ doberman+ hound+
"""
BIRD = """
bird+ duck+ duckling+ goose geese seagull+ gull+ pigeon+ swan+ parrot+ flamingo+ eagle+ owl+ hawk+ pelican+ peacock+ rooster+
ostrich
"""
BOAT = """
boat+ ship+ sailboat+ canoe+ kayak+ raft+ rowboat+ speedboat+ motorboat+ ferry ferries yacht+ vessel+ gondola+ catamaran+
sailing kayaking canoeing rafting
"""

ENTRIES: list[tuple[list[str], str | list[str]]] = [
    (["person"], PERSON),
    (["person"], ["police officer+", "boy scout+", "girl scout+"]),
    (["person", "skateboard"], ["skateboarder+", "skate boarder+"]),
    (["person", "surfboard"], "surfer+ surfboarder+ windsurfer+"),
    (["person", "skis"], "skier+ skiier+"),
    (["person", "snowboard"], ["snowboarder+", "snow boarder+"]),
    (["person", "bicycle"], "cyclist+ bicyclist+ bicycler+ bmxer+"),
    (["person", "motorcycle"], "motorcyclist+"),
    (["person", "bike"], "biker+"),
    (["person", "mount"], "rider+"),
    (["person", "horse"], "jockey+ equestrian+"),
    (["person", "cow"], "bullfighter+ bullrider+ matador+"),
    (["person", "truck"], "trucker+"),
    (["person", "boat"], "kayaker+ canoeist+ canoer+ boater+ rower+ sailor+"),
    (["bicycle"], "bicycle+ tricycle+ bmx bicycling cycling"),
    (["bike"], "bike+ biking"),
    (["motorcycle"], ["motorcycle+", "motorbike+", "moped+", "dirt bike+", "motor bike+", "motocross", "motorcycling"]),
    (["car"], "car+ automobile+ sedan+ taxi+ cab+ minivan+ limousine+ convertible"),
    (["car"], ["police car+", "race car+"]),
    (["car or truck"], ["van+", "suv+", "jeep+", "pickup+"]),
    (["truck"], ["truck+", "lorry", "lorries", "firetruck+", "fire truck+", "fire engine+", "pickup truck+", "semi truck+"]),
    (["bus"], ["bus", "buses", "busses", "school bus", "minibus", "double decker"]),
    (["tram"], ["tram+", "trolley+", "streetcar+", "cable car+"]),
    (["train"], ["locomotive+", "passenger train+", "subway train+", "commuter train+", "freight train+", "steam train+"]),
    (["train"], ["train car+", "subway car+"]),
    (["airplane"], "airplane+ aeroplane+ aircraft plane+ jet+ jetliner+ airliner+ biplane+"),
    (["boat"], BOAT),
    (["traffic light"], ["traffic light+", "traffic signal+", "stoplight+", "stop light+", "street signal+"]),
    (["fire hydrant"], ["fire hydrant+", "hydrant+"]),
    (["stop sign"], ["stop sign+"]),
    (["parking meter"], ["parking meter+"]),
    (["bench"], "bench benches"),
    (["bird"], BIRD),
    (["cat"], "cat+ kitten+ kitty kitties"),
    (["dog"], DOG),
    (["dog"], ["german shepherd+", "border collie+", "sheepdog+", "black lab+", "yellow lab+", "brown lab+", "chocolate lab+"]),
    (["dog"], ["pit bull+", "pitbull+"]),
    (["horse"], "horse+ pony ponies horseback stallion+ mare+ colt+ foal+"),
    (["sheep"], "sheep lamb+ ewe+"),
    (["cow"], "cow+ cattle bull+ ox oxen calf"),
    (["elephant"], "elephant+"),
    (["bear"], ["polar bear+", "grizzly bear+", "grizzly", "bear cub+"]),
    (["zebra"], "zebra+"),
    (["giraffe"], "giraffe+"),
    (["backpack"], "backpack+ rucksack+ knapsack+ backpacker+ backpacking"),
    (["umbrella"], "umbrella+ parasol+"),
    (["handbag"], ["handbag+", "purse+", "hand bag+"]),
    (["tie"], ["necktie+", "bow tie+", "suit and tie"]),
    (["suitcase"], "suitcase+ luggage briefcase+"),
    (["frisbee"], ["frisbee+", "flying disc+", "flying disk+"]),
    (["skis"], "ski skis skiis skiing"),
    (["snowboard"], "snowboard+ snowboarding"),
    (["sports ball"], "ball+ soccer football+ basketball+ volleyball+ rugby"),
    (["sports ball"], ["soccer ball+", "tennis ball+", "beach ball+"]),
    (["baseball gear"], "baseball+ softball+"),
    (["tennis gear"], "tennis"),
    (["kite"], "kite+"),
    (["baseball bat"], ["baseball bat+"]),
    (["baseball glove"], ["baseball glove+", "baseball mitt+", "mitt+", "catcher's mitt"]),
    (["skateboard"], ["skateboard+", "skateboarding", "skate board+"]),
    (["surfboard"], ["surfboard+", "surfboarding", "surfing", "surfs", "surf board+"]),
    (["tennis racket"], ["tennis racket+", "tennis racquet+", "racket+", "racquet+"]),
    (["bottle"], "bottle+"),
    (["wine glass"], ["wine glass", "wine glasses", "wineglass", "wineglasses", "glass of wine", "glasses of wine"]),
    (["cup"], "cup+ mug+ teacup+"),
    (["fork"], "fork+"),
    (["knife"], "knife knives"),
    (["spoon"], "spoon+"),
    (["bowl"], "bowl+"),
    (["banana"], "banana+"),
    (["apple"], "apple+"),
    (["sandwich"], "sandwich sandwiches hamburger+ burger+ cheeseburger+"),
    (["orange"], ["oranges", "orange slice+"]),
    (["broccoli"], "broccoli"),
    (["carrot"], "carrot+"),
    (["hot dog"], ["hot dog+", "hotdog+"]),
    (["pizza"], "pizza+"),
    (["donut"], "donut+ doughnut+"),
    (["cake"], "cake+ cupcake+ cheesecake+"),
    (["chair"], ["chair+", "armchair+", "recliner+", "highchair+", "high chair+", "lawn chair+"]),
    (["couch"], "couch couches sofa+ loveseat+"),
    (["potted plant"], ["potted plant+", "houseplant+", "house plant+", "potted flower+"]),
    (["bed"], "bed+"),
    (["dining table"], "table+"),
    (["toilet"], "toilet+ urinal+"),
    (["tv"], ["tv+", "television+", "monitor+", "computer monitor+", "flat screen"]),
    (["laptop"], ["laptop+", "laptop computer+"]),
    (["mouse"], ["computer mouse", "wireless mouse"]),
    (["remote"], ["remote+", "remote control+", "game controller+", "wii remote+", "wii controller+", "wii"]),
    (["keyboard"], ["keyboard+", "computer keyboard+"]),
    (["cell phone"], ["cell phone+", "cellphone+", "phone+", "mobile phone+", "smartphone+", "telephone+", "smart phone+"]),
    (["microwave"], ["microwave+", "microwave oven+"]),
    (["oven"], "oven+ stove+"),
    (["toaster"], ["toaster+"]),
    (["sink"], "sink+"),
    (["refrigerator"], "refrigerator+ fridge+"),
    (["book"], "book+"),
    (["clock"], ["clock+", "clock tower+", "clocktower+"]),
    (["vase"], "vase+"),
    (["scissors"], "scissors"),
    (["teddy bear"], ["teddy bear+", "teddy+", "stuffed bear+", "toy bear+"]),
    (["hair drier"], ["hair drier+", "hair dryer+", "hairdryer+", "blow dryer+"]),
    (["toothbrush"], ["toothbrush", "toothbrushes", "tooth brush", "tooth brushes"]),
    (["vehicle"], "vehicle+"),
    (["road vehicle"], "traffic"),
    (["animal"], "animal+ pet+ wildlife"),
    (["grazing animal"], "herd+ livestock"),
    (["computer"], "computer+"),
    (["fruit"], "fruit+"),
    (["vegetable"], "vegetable+ veggies"),
    (["pastry"], "pastry pastries"),
    (["cutlery"], "silverware utensil+ cutlery"),
    (["furniture"], "furniture furnishings"),
]

AFTER_DETERMINER: list[tuple[list[str], str]] = [
    (["train"], "train+"),
    (["bear"], "bear+"),
    (["mouse"], "mouse"),
    (["tie"], "tie+"),
    (["baseball bat"], "bat+"),
]

NOTHING = """
couple of|train station+|train track+|train platform+|train yard+|bus stop+|bus station+|bus shelter+|bus terminal|car park+|
car wash|bike rack+|bike path+|bike lane+|bike trail+|bike shop+|bike helmet+|bike race+|bicycle helmet+|boat dock+|
boat ramp+|bird cage+|bird bath+|bird feeder+|bird house+|dog house+|cat tree|jet ski+|plane ticket+|soccer field+|
soccer goal+|soccer uniform+|soccer jersey+|soccer stadium+|football field+|football helmet+|football uniform+|
football jersey+|football stadium+|basketball court+|basketball hoop+|basketball uniform+|basketball jersey+|basketball goal+|
volleyball court+|volleyball net+|baseball field+|baseball diamond+|baseball cap+|baseball hat+|baseball uniform+|
baseball jersey+|baseball stadium+|baseball park+|tennis court+|tennis shoe+|tennis net+|table tennis|ball gown+|ball pit+|
ball park|ski lift+|ski slope+|ski resort+|ski lodge+|ski goggles|ski mask+|ski jacket+|ski pole+|ski hill+|ski area+|
ski run+|ski trail+|surf shop+|motorcycle helmet+|car seat+|chair lift+|ping pong table+|pool table+|table cloth+|flower bed+|
truck bed+|bed of|toilet paper|phone booth+|telephone booth+|telephone pole+|book store+|book shelf|book shelves|book case+|
fork lift+|bear costume|bear suit|dog food|cat food|bird seed|baby carriage+|baby stroller+|stuffed animal+|toy animal+|
orange juice|apple juice|bottle cap+|pizza box|pizza boxes|pizza oven+|hot dog stand+|hot dog cart+|traffic cone+|
traffic sign+|bench press|mickey mouse|fruit stand+|fruit juice|horse shoe+|cow girl|sheep skin|computer desk+|computer lab+|
bull horn+|bull ring|pet store+|pet shop+|player piano|trampoline+|petting|petted|bulldozer+|tablecloth+|herding|herded|
skimpy|gymnastic+|bookcase+|bookshelf|bookshelves|bookbag+|bedspread+|bedding|bedroll+|caricature+|carve+|carved|carving+|
forklift+|bullhorn+|bullring+|chairlift+|skit+|skid+|skidding|skidded|skim+|skimming|piloting|ducking|carcass|doghouse+|
crowding|groomed|grooming|rafter+|birdcage+|birdhouse+|birdie+|catwalk+|cattail+|spooning|toiletries|busily|mending|menorah|
clowning|balloon+|ballons|manhole+|dogsled+|someones|mens|womens|forked|sandwiched|teaming|parenting|mandarin|carton+|
carnival+|carpet+|carriage+|caravan+
"""


def listed(text: str | list[str]) -> list[str]:
    return text.split() if isinstance(text, str) else text


def table() -> dict[str, Any]:
    """`caption.grounding` of config.json."""
    entries: list[dict[str, Any]] = [{"needs": needs, "words": listed(text)} for needs, text in ENTRIES]
    merged: dict[tuple[str, ...], dict[str, Any]] = {}
    for entry in entries:
        merged.setdefault(tuple(entry["needs"]), {"needs": entry["needs"], "words": []})["words"] += entry["words"]
    rows = list(merged.values())
    rows += [{"needs": needs, "after_determiner": True, "words": listed(text)} for needs, text in AFTER_DETERMINER]
    rows.append({"needs": [], "words": NOTHING.replace("\n", "").split("|")})
    return {"ranking": asdict(Ranking()), "determiners": DETERMINERS, "groups": GROUPS, "entries": rows}


def write(directory: Path) -> None:
    """Puts the table into a model directory's config.json; the rest of it stays as it is."""
    from .export import to_json

    raw = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    raw["format_version"] = max(2, raw["format_version"])
    raw["caption"]["grounding"] = table()
    (directory / "config.json").write_text(to_json(raw) + "\n", encoding="utf-8")


def check(grounding: Grounding, lines: list[str]) -> None:
    said: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for line in lines:
        ids = grounding.tokenizer.encode(line)[1:-1]
        covered: set[int] = set()
        for m in grounding.mentions(ids):
            said[grounding.tokenizer.decode(ids[m.start : m.end])] += 1
            covered.update(range(m.start, m.end))
        other.update(grounding.tokenizer.tokens[t] for i, t in enumerate(ids) if i not in covered)
    print("in the table:", ", ".join(f"{w} {n}" for w, n in said.most_common()))
    print("not in it:", ", ".join(f"{w} {n}" for w, n in other.most_common(400)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--check", type=Path, help="a file of captions, one a line: nothing is written")
    o = parser.parse_args()
    if o.check:
        labels = Config.load(o.model).labels
        check(Grounding(table(), labels, WordPiece(o.model / "vocab.txt")), o.check.read_text(encoding="utf-8").splitlines())
    else:
        write(o.model)


if __name__ == "__main__":
    main()
