"""Names of the demo's categories: the hundred that sell most, in retail Chinese and in plain English.

A category's code is the data set's own `product_category`, except the three of ours below; the rest keep their code
as their name.
"""

from __future__ import annotations

from dataclasses import dataclass

#: What the files spread over FUEL and COUPON/MISC ITEMS.
GASOLINE = "加油"
#: Taken out of BABY HBC, so that who buys diapers but no wipes can be asked of categories.
BABY_WIPES = "婴儿湿巾"
#: Lines whose product has no category, or is not in the list of products.
UNCATEGORISED = "未分类"


@dataclass(frozen=True, slots=True)
class Name:
    """What a reader sees instead of a code."""

    zh: str
    en: str


NAMES: dict[str, Name] = {
    GASOLINE: Name(GASOLINE, "Gasoline"),
    BABY_WIPES: Name(BABY_WIPES, "Baby wipes"),
    UNCATEGORISED: Name(UNCATEGORISED, "Uncategorised"),
    "SOFT DRINKS": Name("碳酸饮料", "Soft drinks"),
    "BEEF": Name("牛肉", "Beef"),
    "FLUID MILK PRODUCTS": Name("牛奶", "Milk"),
    "CHEESE": Name("包装奶酪", "Packaged cheese"),
    "FRZN MEAT/MEAT DINNERS": Name("冷冻正餐", "Frozen dinners"),
    "BAG SNACKS": Name("袋装零食", "Bagged snacks"),
    "BAKED BREAD/BUNS/ROLLS": Name("包装面包", "Packaged bread and buns"),
    "BEERS/ALES": Name("啤酒", "Beer"),
    "FROZEN PIZZA": Name("冷冻披萨", "Frozen pizza"),
    "COLD CEREAL": Name("即食麦片", "Breakfast cereal"),
    "DELI MEATS": Name("现切熟食肉", "Deli meats"),
    "CIGARETTES": Name("香烟", "Cigarettes"),
    "CHICKEN": Name("鸡肉", "Chicken"),
    "LUNCHMEAT": Name("包装火腿片", "Packaged lunch meat"),
    "PORK": Name("猪肉", "Pork"),
    "SOUP": Name("汤罐头", "Soup"),
    "ICE CREAM/MILK/SHERBTS": Name("家庭装冰淇淋", "Ice cream tubs"),
    "CANDY - PACKAGED": Name("袋装糖果巧克力", "Packaged candy"),
    "CANNED JUICES": Name("常温果汁", "Shelf-stable juice"),
    "REFRGRATD JUICES/DRNKS": Name("冷藏果汁饮料", "Chilled juice and drinks"),
    "MEAT - MISC": Name("冷冻鸡肉与肉饼", "Frozen chicken pieces and patties"),
    "COFFEE": Name("咖啡", "Coffee"),
    "CRACKERS/MISC BKD FD": Name("咸味饼干", "Crackers"),
    "DOMESTIC WINE": Name("美国葡萄酒", "Domestic wine"),
    "WATER - CARBONATED/FLVRD DRINK": Name("瓶装水", "Bottled water"),
    "BATH TISSUES": Name("卫生纸", "Toilet paper"),
    "SEAFOOD - FROZEN": Name("冷冻海鲜", "Frozen seafood"),
    "YOGURT": Name("酸奶", "Yogurt"),
    "DIAPERS & DISPOSABLES": Name("尿裤", "Diapers"),
    "LAUNDRY DETERGENTS": Name("洗衣液、洗衣粉", "Laundry detergent"),
    "VEGETABLES - SHELF STABLE": Name("蔬菜罐头", "Canned vegetables"),
    "BAKED SWEET GOODS": Name("包装甜糕点", "Packaged sweet bakery"),
    "CONVENIENT BRKFST/WHLSM SNACKS": Name("早餐棒与谷物棒", "Breakfast and granola bars"),
    "DOG FOODS": Name("狗粮", "Dog food"),
    "MEAT - SHELF STABLE": Name("肉罐头与即食餐罐头", "Canned meat and meals"),
    "CHEESES": Name("熟食柜奶酪", "Deli cheese"),
    "COOKIES/CONES": Name("甜饼干", "Cookies"),
    "FROZEN MEAT": Name("冷冻裹粉肉制品", "Frozen prepared meat"),
    "HISPANIC": Name("墨西哥风味食品", "Mexican foods"),
    "INFANT FORMULA": Name("婴儿奶粉", "Infant formula"),
    "SALD DRSNG/SNDWCH SPRD": Name("沙拉酱", "Salad dressing and spreads"),
    "POTATOES": Name("土豆", "Potatoes"),
    "DINNER MXS:DRY": Name("速食餐料包", "Boxed dinner mixes"),
    "SALAD MIX": Name("即食沙拉菜", "Salad mixes"),
    "HAIR CARE PRODUCTS": Name("洗护发", "Hair care"),
    "FRZN VEGETABLE/VEG DSH": Name("冷冻蔬菜", "Frozen vegetables"),
    "CONDIMENTS/SAUCES": Name("调味酱", "Condiments and sauces"),
    "BREAKFAST SAUSAGE/SANDWICHES": Name("早餐香肠与三明治", "Breakfast sausage and sandwiches"),
    "TOMATOES": Name("番茄", "Tomatoes"),
    "BACON": Name("培根", "Bacon"),
    "FD WRAPS/BAGS/TRSH BG": Name("保鲜袋、垃圾袋", "Food wraps and trash bags"),
    "DINNER SAUSAGE": Name("香肠", "Dinner sausage"),
    "REFRGRATD DOUGH PRODUCTS": Name("冷藏面团", "Chilled dough"),
    "TROPICAL FRUIT": Name("香蕉等热带水果", "Bananas and tropical fruit"),
    "MILK BY-PRODUCTS": Name("酸奶油与乡村奶酪", "Sour cream and cottage cheese"),
    "FRUIT - SHELF STABLE": Name("水果罐头", "Canned fruit"),
    "FRZN NOVELTIES/WTR ICE": Name("雪糕冰棍", "Ice cream bars and pops"),
    "CAKES": Name("蛋糕", "Cakes"),
    "EGGS": Name("鸡蛋", "Eggs"),
    "APPLES": Name("苹果", "Apples"),
    "COUPON/MISC ITEMS": Name("礼品卡与杂项", "Gift cards and sundries"),
    "HOUSEHOLD CLEANG NEEDS": Name("家居清洁", "Household cleaning"),
    "DRY BN/VEG/POTATO/RICE": Name("大米、干豆与速食配餐", "Rice, dry beans and side dishes"),
    "ORAL HYGIENE PRODUCTS": Name("口腔护理", "Oral care"),
    "BERRIES": Name("莓果", "Berries"),
    "GRAPES": Name("葡萄", "Grapes"),
    "GREETING CARDS/WRAP/PARTY SPLY": Name("贺卡与派对用品", "Cards and party supplies"),
    "CAT FOOD": Name("猫粮", "Cat food"),
    "HOT DOGS": Name("热狗肠", "Hot dogs"),
    "PASTA SAUCE": Name("意面酱", "Pasta sauce"),
    "VEGETABLES - ALL OTHERS": Name("其他新鲜蔬菜", "Other fresh vegetables"),
    "MAGAZINE": Name("杂志", "Magazines"),
    "CHICKEN/POULTRY": Name("烤鸡炸鸡", "Rotisserie and fried chicken"),
    "PNT BTR/JELLY/JAMS": Name("花生酱与果酱", "Peanut butter and jam"),
    "SALAD BAR": Name("自助鲜切水果与沙拉", "Fruit and salad bar"),
    "BAKING MIXES": Name("烘焙预拌粉", "Baking mixes"),
    "PAPER TOWELS": Name("厨房纸巾", "Paper towels"),
    "BAKING NEEDS": Name("烘焙辅料", "Baking ingredients"),
    "HEAT/SERVE": Name("加热即食菜", "Heat-and-serve meals"),
    "CANDY - CHECKLANE": Name("收银台糖果口香糖", "Checkout candy and gum"),
    "SHORTENING/OIL": Name("食用油", "Cooking oil"),
    "SPICES & EXTRACTS": Name("香料调味料", "Spices and extracts"),
    "SMOKED MEATS": Name("整只火腿与熏肉", "Ham and smoked meats"),
    "SUGARS/SWEETNERS": Name("糖与甜味剂", "Sugar and sweeteners"),
    "REFRIGERATED": Name("冷藏有机健康食品", "Chilled natural foods"),
    "ANALGESICS": Name("止痛药", "Pain relief"),
    "ISOTONIC DRINKS": Name("运动饮料", "Sports drinks"),
    "FRZN BREAKFAST FOODS": Name("冷冻早餐", "Frozen breakfast"),
    "COLD AND FLU": Name("感冒药", "Cold and flu"),
    "PAPER HOUSEWARES": Name("一次性餐具", "Disposable tableware"),
    "SALADS/DIPS": Name("熟食沙拉与蘸酱", "Deli salads and dips"),
    "CITRUS": Name("柑橘", "Citrus"),
    "SEAFOOD - SHELF STABLE": Name("海鲜罐头", "Canned seafood"),
    "MAKEUP AND TREATMENT": Name("彩妆护肤", "Makeup and skin care"),
    "SEAFOOD-FRESH": Name("鲜海鲜", "Fresh seafood"),
    "LIQUOR": Name("烈酒", "Spirits"),
    "BABY FOODS": Name("婴儿辅食", "Baby food"),
    "SHAVING CARE PRODUCTS": Name("剃须用品", "Shaving"),
    "DRY NOODLES/PASTA": Name("意面与干面条", "Pasta and noodles"),
}


def name_of(category: str, language: str = "zh") -> str:
    """The category's name in the reader's language: English for `en…`, Chinese otherwise; its code if it has none."""
    name = NAMES.get(category)
    if name is None:
        return category
    return name.en if language.lower().startswith("en") else name.zh
