"""Chinese for every room, object and colour that an instruction can name."""

from __future__ import annotations

CHINESE = {
    "living room": "客厅", "kitchen": "厨房", "bedroom": "卧室", "bathroom": "浴室", "hallway": "走廊",
    "dining room": "餐厅", "study": "书房", "storage room": "储藏室", "laundry room": "洗衣房", "playroom": "游戏室",
    "gym": "健身房", "library": "图书室", "office": "办公室", "music room": "音乐室",
    "door": "门", "doorway": "门洞", "front door": "大门", "window": "窗户",
    "bed": "床", "sofa": "沙发", "armchair": "扶手椅", "chair": "椅子", "office chair": "办公椅", "bench": "长凳",
    "stool": "凳子", "bean bag": "懒人沙发", "crib": "婴儿床", "dining table": "餐桌", "coffee table": "茶几",
    "desk": "书桌", "piano": "钢琴", "treadmill": "跑步机", "exercise bike": "健身车", "weight bench": "举重床",
    "drum kit": "架子鼓", "play table": "游戏桌", "ironing board": "熨衣板", "nightstand": "床头柜", "wardrobe": "衣柜",
    "dresser": "五斗柜", "sideboard": "餐边柜", "shoe cabinet": "鞋柜", "filing cabinet": "文件柜", "toy chest": "玩具箱",
    "bookshelf": "书架", "storage rack": "货架", "cardboard boxes": "纸箱", "kitchen counter": "橱柜台面", "sink": "水槽",
    "stove": "炉灶", "fridge": "冰箱", "washing machine": "洗衣机", "laundry basket": "洗衣篮", "toilet": "马桶",
    "washbasin": "洗手池", "bathtub": "浴缸", "shower": "淋浴间", "plant": "盆栽", "floor lamp": "落地灯", "rug": "地毯",
    "television": "电视", "fireplace": "壁炉", "coat rack": "衣帽架", "bin": "垃圾桶", "exercise ball": "健身球",
    "picture": "画", "mirror": "镜子", "clock": "挂钟", "radiator": "暖气片", "towel": "毛巾", "whiteboard": "白板",
    "wall cupboard": "吊柜", "ceiling lamp": "顶灯",
}  # fmt: skip

CHINESE_COLOURS = {
    "grey": "灰色", "black": "黑色", "white": "白色", "blue": "蓝色", "green": "绿色", "red": "红色", "yellow": "黄色",
    "orange": "橙色", "brown": "棕色", "purple": "紫色", "turquoise": "青色", "pink": "粉色",
}  # fmt: skip
