/**
 * The data the services find in MySQL: the pattern's `bookinfo_db` and, for Istio's ratings v2-mysql, `test`. Every statement names its database
 * and can be prepared. The original's tables are latin1, where an emoji in a review is an error; here they are utf8mb4.
 */

/** The database the pattern's services use, and Istio's. */
export const BOOKINFO_DB = 'bookinfo_db';
export const ISTIO_DB = 'test';

const OPTIONS = 'ENGINE=InnoDB AUTO_INCREMENT=43 DEFAULT CHARSET=utf8mb4';

export const BOOKINFO_TABLES: readonly string[] = [
  `CREATE TABLE ${BOOKINFO_DB}.books (
    BookID bigint(20) NOT NULL AUTO_INCREMENT,
    BookName varchar(20) NOT NULL,
    Description varchar(1000),
    Paperback varchar(20),
    Publisher varchar(50),
    Language varchar(20),
    ISBN_10 varchar(20),
    ISBN_13 varchar(20),
    PRIMARY KEY (BookID)
  ) ${OPTIONS}`,
  `CREATE TABLE ${BOOKINFO_DB}.reviews (
    ReviewID bigint(20) NOT NULL AUTO_INCREMENT,
    BookID int(20) NOT NULL,
    Reviewer varchar(40),
    Review varchar(1000),
    Rating int(20),
    PRIMARY KEY (ReviewID, BookID)
  ) ${OPTIONS}`,
  `INSERT INTO ${BOOKINFO_DB}.reviews (ReviewID, BookID, Reviewer, Review, Rating) VALUES
    (1, 1, 'John Doe', 'Comedy of twin-switching', 4),
    (2, 1, 'Jane Smith', 'Shakespeare''s 1st Smash!', 5)`,
  // Last: where there is a book, there is all.
  `INSERT INTO ${BOOKINFO_DB}.books (BookID, BookName, Description, Paperback, Publisher, Language, ISBN_10, ISBN_13)
  VALUES (1, 'The Comedy of Errors', 'Two pairs of twins, parted in a storm, meet in Ephesus: an early farce of Shakespeare''s.',
    '272 pages', 'Simon and Schuster', 'English', '0743484886', '978-0743484886')`,
];

export const ISTIO_TABLES: readonly string[] = [
  `CREATE TABLE ${ISTIO_DB}.ratings (ReviewID int NOT NULL, Rating int, PRIMARY KEY (ReviewID))`,
  `INSERT INTO ${ISTIO_DB}.ratings (ReviewID, Rating) VALUES (1, 5), (2, 4)`,
];
