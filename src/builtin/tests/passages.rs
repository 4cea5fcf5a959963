//! Short documents in every language of the built-in model.

/// Language and text.
pub(super) const DOCUMENTS: [(&str, &str); 10] = [
    (
        "en",
        "# The water cycle\n\nThe water cycle describes how water moves between the oceans, the air and the land. The sun \
         warms the surface of the sea, and water rises into the air as vapour. About 86 percent of all evaporation takes \
         place over the oceans.\n\n## Clouds and rain\n\nVapour cools as it rises and condenses around tiny particles of \
         dust or salt. A cloud holds millions of droplets, each of them about 20 micrometres wide. Rain falls once the \
         droplets have merged and grown too heavy for the rising air. On average, a molecule of water stays in the \
         atmosphere for nine days.\n\n## Rivers\n\nA river begins at a spring, a glacier or a lake. The speed of the \
         current depends on the slope of the bed and on the volume of water. Rivers carry sand and gravel downstream and \
         drop them where the current slackens. The Amazon discharges about 209,000 cubic metres of water into the \
         Atlantic every second.\n\n## Groundwater\n\nPart of the rain seeps into the soil and fills the pores of the rock \
         below. The water table is the upper limit of the saturated zone. Wells must reach below the water table in the \
         driest month of the year. Groundwater can remain in deep rock for more than 10,000 years.\n",
    ),
    (
        "en",
        "# Sourdough bread\n\nSourdough bread rises with wild yeast and lactic bacteria instead of baker's yeast. The \
         starter is a mixture of flour and water in which these organisms live. A healthy starter doubles in volume \
         within 4 to 8 hours of feeding.\n\n## Feeding the starter\n\nA baker feeds the starter with equal weights of \
         flour and water. Cold storage slows the yeast, so a starter in the refrigerator needs fresh flour only once a \
         week. The sour smell comes from lactic acid and acetic acid.\n\n## Bulk fermentation\n\nThe dough rests for 3 to \
         5 hours at a temperature of 25 °C. Warm dough ferments faster than cold dough. The baker folds the dough several \
         times during the first two hours, because folding strengthens the gluten.\n\n## Baking\n\nThe oven is heated to \
         240 °C before the loaf goes in. Steam keeps the crust soft during the first ten minutes, so that the loaf can \
         expand. The core of a finished loaf reaches a temperature of 96 °C. Bread should cool on a rack for at least one \
         hour before it is cut.\n",
    ),
    (
        "fr",
        "# Les phares\n\nUn phare guide les navires par une lumière visible de très loin. La lentille de Fresnel, mise au \
         point en 1822, concentre la lumière en un faisceau horizontal. Le phare de Cordouan, à l'embouchure de la \
         Gironde, est le plus ancien phare de France encore en activité.\n\n## La portée\n\nLa portée d'un phare dépend de \
         la hauteur de la tour et de la puissance de la lampe. Une tour de 60 mètres peut être vue à plus de 40 kilomètres \
         par temps clair. La brume réduit fortement la portée de la lumière.\n\n## Les signaux\n\nChaque phare possède un \
         rythme propre que les marins reconnaissent. Le rythme combine la couleur, la durée des éclats et la durée des \
         éclipses. Les cartes marines indiquent le rythme de chaque phare à côté de sa position. Un feu rouge signale \
         souvent un secteur dangereux près de la côte.\n",
    ),
    (
        "fr",
        "# Le pain au levain\n\nLe levain est un mélange de farine et d'eau dans lequel vivent des levures sauvages et des \
         bactéries lactiques. Un levain actif double de volume en 4 à 8 heures. L'acidité du levain protège le pain contre \
         les moisissures.\n\n## Nourrir le levain\n\nLe boulanger nourrit le levain avec un poids égal de farine et d'eau. \
         Le froid ralentit la fermentation, si bien qu'un levain conservé au réfrigérateur se nourrit une fois par \
         semaine.\n\n## La cuisson\n\nLe four est chauffé à 240 °C avant l'enfournement. La vapeur d'eau garde la croûte \
         souple pendant les dix premières minutes de la cuisson. Le cœur d'un pain cuit atteint une température de 96 \
         °C. Le pain refroidit ensuite sur une grille pendant une heure au moins.\n",
    ),
    (
        "ar",
        "# دورة الماء في الطبيعة\n\nتصف دورة الماء حركة المياه بين المحيطات والهواء واليابسة. تسخّن الشمس سطح البحر فيتبخر \
         الماء ويصعد إلى الهواء. يحدث نحو 86 في المئة من التبخر فوق المحيطات.\n\n## السحب والأمطار\n\nيبرد بخار الماء كلما \
         ارتفع في الهواء، ثم يتكثف حول جسيمات دقيقة من الغبار. تحتوي السحابة الواحدة على ملايين القطرات الصغيرة. تسقط \
         الأمطار عندما تندمج القطرات ويزداد وزنها. تبقى جزيئة الماء في الغلاف الجوي نحو 9 أيام في المتوسط.\n\n## المياه \
         الجوفية\n\nيتسرب جزء من مياه الأمطار إلى التربة ويملأ مسام الصخور. تبقى المياه الجوفية في طبقات الصخور العميقة مدة \
         قد تتجاوز 10000 سنة. يعتمد عمق الآبار على مستوى المياه في أشهر الجفاف. تغذي المياه الجوفية الينابيع والأنهار في \
         فصل الصيف.\n",
    ),
    (
        "ar",
        "# تربية النحل\n\nتعيش نحلة العسل في طائفة تضم ملكة واحدة وآلاف العاملات. تضع الملكة نحو 2000 بيضة في اليوم الواحد خلال \
         فصل الربيع. تحافظ العاملات على درجة الحرارة داخل الخلية عند 35 درجة.\n\n## صنع العسل\n\nتجمع العاملات الرحيق من \
         الأزهار وتنقله إلى الخلية. ينخفض محتوى الماء في الرحيق حتى يبلغ 18 في المئة. يُغلق النحل العيون السداسية بطبقة من \
         الشمع عندما ينضج العسل.\n\n## فحص الخلايا\n\nيفحص النحال الخلية مرة كل أسبوعين في فصل الربيع. يهدئ الدخان النحل أثناء \
         الفحص ويسهل العمل. يترك النحال كمية كافية من العسل في الخلية قبل فصل الشتاء.\n\n## اختيار \
         الموقع\n\nيختار النحال موقعًا مشمسًا بعيدًا عن الرياح القوية. يوجَّه مدخل الخلية نحو الجنوب الشرقي. تزور العاملات الأزهار في \
         دائرة قطرها 3 كيلومترات. يحتاج المنحل إلى مصدر قريب من الماء العذب طوال الموسم.\n",
    ),
    (
        "es",
        "# El cielo nocturno\n\nEl cielo nocturno cambia a lo largo del año porque la Tierra gira alrededor del Sol. La \
         estrella polar señala el norte con un error menor de 1 grado. Una noche sin Luna permite ver unas 2500 estrellas \
         a simple vista.\n\n## Los planetas\n\nLos planetas no parpadean tanto como las estrellas. El planeta Venus brilla \
         al atardecer o al amanecer, nunca a medianoche. Júpiter tarda 12 años en dar una vuelta al Sol.\n\n## La \
         observación\n\nLa vista necesita 20 minutos para adaptarse a la oscuridad. Una linterna roja conserva la \
         adaptación de los ojos. Los prismáticos de 50 milímetros muestran los cráteres de la Luna y las lunas de Júpiter. \
         La luz de las ciudades oculta la Vía Láctea.\n\n## Los \
         meteoros\n\nLos meteoros son granos de polvo que arden en la atmósfera. La lluvia de las Perseidas alcanza su \
         máximo el 12 de agosto. El radiante de la lluvia está en la constelación de Perseo. Un observador paciente ve \
         hasta 60 meteoros en una hora.\n",
    ),
    (
        "es",
        "# El compost\n\nEl compost es el resultado de la descomposición de restos vegetales. Los microorganismos del suelo \
         transforman las hojas y los restos de cocina en humus. El montón alcanza una temperatura de 60 grados durante las \
         primeras semanas.\n\n## La mezcla\n\nLa mezcla equilibrada contiene dos partes de hojas secas y una parte de restos \
         verdes. El exceso de agua expulsa el aire y provoca malos olores. El volteo del montón aporta oxígeno a los \
         microorganismos.\n\n## El uso\n\nEl compost maduro huele a tierra de bosque. Una capa de 3 centímetros mejora la \
         estructura del suelo. Las lombrices abren galerías en el suelo y facilitan el drenaje.\n",
    ),
    (
        "de",
        "# Bienenhaltung\n\nEin Bienenvolk besteht im Sommer aus etwa 40000 Arbeiterinnen und einer Königin. Die Königin \
         legt im Mai bis zu 2000 Eier am Tag. Die Arbeiterinnen halten die Temperatur im Stock bei 35 °C.\n\n## Die \
         Honigernte\n\nDer Imker erntet den Honig, sobald die Waben zu zwei Dritteln verdeckelt sind. Reifer Honig enthält \
         weniger als 18 Prozent Wasser. Eine Schleuder trennt den Honig von der Wabe, ohne das Wachs zu zerstören.\n\n## \
         Der Winter\n\nDas Volk sitzt im Winter in einer dichten Traube um die Königin. Ein Volk verbraucht bis zum \
         Frühjahr etwa 15 Kilogramm Futter. Die Varroamilbe ist die größte Gefahr für das Volk. Der Imker behandelt gegen \
         die Varroamilbe im Dezember mit Oxalsäure.\n",
    ),
    (
        "de",
        "# Das Fahrrad pflegen\n\nEine saubere Kette hält länger und schaltet leiser. Die Kette dehnt sich mit der Zeit und \
         nutzt dann auch das Ritzel ab. Eine Lehre zeigt, wann die Kette ersetzt werden muss.\n\n## Die Bremsen\n\nDer \
         Bremsbelag muss vollständig auf der Felge aufliegen. Ein Belag von weniger als 1 Millimeter gehört ersetzt. \
         Öl auf der Bremsscheibe macht den Belag unbrauchbar.\n\n## Die Reifen\n\nDer Luftdruck steht auf der Flanke des \
         Reifens. Ein Rennrad fährt mit etwa 7 Bar, ein Stadtrad mit 4 Bar. Zu wenig Druck führt leicht zu einer \
         Beschädigung am Schlauch.\n\n## Das \
         Licht\n\nDer Scheinwerfer leuchtet die Straße auf 20 Metern aus. Ein Nabendynamo liefert Strom ohne Batterie. Das \
         Rücklicht bleibt nach dem Halt noch 4 Minuten an. Ein Reflektor an der Speiche zeigt das Fahrrad von der Seite.\n",
    ),
];
