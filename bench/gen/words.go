package gen

// tenantNames are the brands, in the order in which Config.Tenants takes them.
var tenantNames = []string{"acme", "borealis", "cardinal", "dunlin", "estuary", "falcon", "gannet", "heron"}

var firstNames = []string{
	"Marie", "Camille", "Thomas", "Nicolas", "Julie", "Léa", "Pierre", "Antoine", "Sophie", "Claire", "Hugo", "Lucas",
	"Emma", "Manon", "Chloé", "François", "Philippe", "Isabelle", "Nathalie", "Jean-Marc", "Catherine", "Sébastien",
	"Aurélie", "Karim", "Fatima", "Mehdi", "Inès", "Yasmine", "Mathieu", "Élodie", "Benoît", "Hélène", "Gaël", "Maëlle",
	"Olivier", "Sandrine", "Stéphane", "Valérie", "Jérôme", "Céline", "Quentin", "Anaïs", "Romain", "Zoé", "Raphaël",
	"Jade", "Louise", "Gabriel", "Arthur", "Alice", "Nour", "Aminata", "Moussa", "Linh", "João", "Paola", "Ewa", "Tomasz",
	"Noémie", "Baptiste", "Agathe", "Victor", "Margaux", "Rémi",
}

var lastNames = []string{
	"Martin", "Bernard", "Dubois", "Durand", "Petit", "Robert", "Leroy", "Moreau", "Simon", "Laurent", "Lefèvre", "Michel",
	"Garcia", "Roux", "Fournier", "Girard", "Bonnet", "Dupont", "Lambert", "Fontaine", "Rousseau", "Vincent", "Müller",
	"Faure", "André", "Mercier", "Blanc", "Guérin", "Boyer", "Garnier", "Chevalier", "Legrand", "Gauthier", "Perrin",
	"Clément", "Morin", "Nicolas", "Henry", "Roussel", "Mathieu", "Gautier", "Masson", "Marchand", "Duval", "Denis",
	"Dumont", "Lemaire", "Noël", "Meyer", "Dufour", "Meunier", "Brun", "Blanchard", "Giraud", "Joly", "Rivière", "Lucas",
	"Brunet", "Gaillard", "Barbier", "Arnaud", "Renard", "Schmitt", "Colin", "Vidal", "Caron", "Picard", "Nguyen", "Diallo",
	"Benali", "Le Gall", "D'Almeida", "Fernandes", "Kowalski", "Haddad", "Traoré", "Pereira", "Charpentier", "Lacroix",
	"Besson",
}

var streets = []string{
	"rue de la République", "rue Victor Hugo", "avenue Jean Jaurès", "rue des Écoles", "rue Pasteur", "place de l'Église",
	"rue du Moulin", "avenue de la Gare", "rue des Lilas", "chemin des Vignes", "rue du Château", "boulevard Gambetta",
	"rue des Jardins", "impasse des Acacias", "rue Jules Ferry", "allée des Tilleuls", "rue de la Fontaine",
	"route de Paris", "rue Saint-Martin", "quai de la Loire", "rue du Stade", "rue des Peupliers", "rue Nationale",
	"avenue du Général Leclerc", "rue de Verdun", "rue Émile Zola", "cours Lafayette", "rue du Puits", "rue des Merles",
	"rue de Bretagne", "chemin du Lavoir", "rue des Tanneurs", "rue Basse", "Grande Rue", "rue Marie Curie",
	"square des Platanes", "rue de l'Abreuvoir", "rue du Four", "rue Traversière", "boulevard Voltaire",
}

var cities = []struct{ postcode, name string }{
	{"75011", "Paris"},
	{"69003", "Lyon"},
	{"13005", "Marseille"},
	{"31000", "Toulouse"},
	{"44000", "Nantes"},
	{"33000", "Bordeaux"},
	{"59800", "Lille"},
	{"67000", "Strasbourg"},
	{"35000", "Rennes"},
	{"34000", "Montpellier"},
	{"06000", "Nice"},
	{"38000", "Grenoble"},
	{"21000", "Dijon"},
	{"49000", "Angers"},
	{"37000", "Tours"},
	{"29200", "Brest"},
	{"63000", "Clermont-Ferrand"},
	{"87000", "Limoges"},
	{"14000", "Caen"},
	{"54000", "Nancy"},
	{"45000", "Orléans"},
	{"57000", "Metz"},
	{"76000", "Rouen"},
	{"86000", "Poitiers"},
	{"25000", "Besançon"},
	{"64000", "Pau"},
	{"73000", "Chambéry"},
	{"17000", "La Rochelle"},
	{"56000", "Vannes"},
	{"72000", "Le Mans"},
	{"02100", "Saint-Quentin"},
	{"01000", "Bourg-en-Bresse"},
	{"12000", "Rodez"},
	{"48000", "Mende"},
	{"20000", "Ajaccio"},
	{"22000", "Saint-Brieuc"},
}

// mailDomains other than gmail.com are reserved for examples, so that no address reaches anybody.
var mailDomains = []string{"example.com", "example.net", "example.org", "mail.example", "post.example"}

// segmentShares are the shares of customers in each segment, by code.
var segmentShares = []struct {
	code  string
	share float64
}{
	{"churn.high", 0.08},
	{"ev", 0.04},
	{"heatpump", 0.06},
	{"newsletter", 0.45},
	{"solar", 0.03},
	{"tariff.fixed", 0.35},
	{"tariff.green", 0.22},
	{"vip", 0.05},
}
