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

var cities = []struct{ department, name string }{
	{"75", "Paris"},
	{"69", "Lyon"},
	{"13", "Marseille"},
	{"31", "Toulouse"},
	{"44", "Nantes"},
	{"33", "Bordeaux"},
	{"59", "Lille"},
	{"67", "Strasbourg"},
	{"35", "Rennes"},
	{"34", "Montpellier"},
	{"06", "Nice"},
	{"38", "Grenoble"},
	{"21", "Dijon"},
	{"49", "Angers"},
	{"37", "Tours"},
	{"29", "Brest"},
	{"63", "Clermont-Ferrand"},
	{"87", "Limoges"},
	{"14", "Caen"},
	{"54", "Nancy"},
	{"45", "Orléans"},
	{"57", "Metz"},
	{"76", "Rouen"},
	{"86", "Poitiers"},
	{"25", "Besançon"},
	{"64", "Pau"},
	{"73", "Chambéry"},
	{"17", "La Rochelle"},
	{"56", "Vannes"},
	{"72", "Le Mans"},
	{"02", "Saint-Quentin"},
	{"01", "Bourg-en-Bresse"},
	{"12", "Rodez"},
	{"48", "Mende"},
	{"20", "Ajaccio"},
	{"22", "Saint-Brieuc"},
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
