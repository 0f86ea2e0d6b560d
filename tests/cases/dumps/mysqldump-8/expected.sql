-- MySQL dump 10.13  Distrib 8.0.39, for Linux (x86_64)
--
-- Host: localhost    Database: shop
-- ------------------------------------------------------
-- Server version	8.0.39

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!50503 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;

--
-- Table structure for table `wp_options`
--

DROP TABLE IF EXISTS `wp_options`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `wp_options` (
  `option_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `option_name` varchar(191) NOT NULL DEFAULT '',
  `option_value` longtext NOT NULL COMMENT 'http://south.example; isn''t a value',
  `autoload` varchar(20) NOT NULL DEFAULT 'yes',
  PRIMARY KEY (`option_id`),
  UNIQUE KEY `option_name` (`option_name`)
) ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `wp_options` WRITE;
/*!40000 ALTER TABLE `wp_options` DISABLE KEYS */;
INSERT INTO `wp_options` VALUES (1,'siteurl','https://www.south-shop.example/se','yes'),(2,'widget_text','a:2:{i:2;a:1:{s:3:\"url\";s:43:\"https://www.south-shop.example/se/größe\'s\";}s:12:\"_multiwidget\";i:1;}','no'),(3,'object','O:8:\"stdClass\":2:{s:7:\"\0*\0link\";s:#:\"https://www.south-shop.example/se/\n<a href=\'https://www.south-shop.example/se/x\'>\";s:4:\"mail\";s:18:\"shop@south.example\";}','no'),(4,'mail','shop@south.example','yes');
/*!40000 ALTER TABLE `wp_options` ENABLE KEYS */;
UNLOCK TABLES;

CREATE TABLE `wp_posts` (
  `ID` bigint unsigned NOT NULL AUTO_INCREMENT,
  `post_content` longtext NOT NULL,
  `post_parent` bigint DEFAULT NULL,
  `thumb` mediumblob,
  PRIMARY KEY (`ID`)
) ENGINE=InnoDB;
LOCK TABLES `wp_posts` WRITE;
INSERT INTO `wp_posts` VALUES (7,'<!-- wp:image {\"id\":7} -->\n<img src=\"https://www.south-shop.example/se/wp-content/a.jpg\" alt=\'it\"s\' />\r\n<!-- /wp:image --> https://www.south-shop.example/se. http://south.example.org \\o/',NULL,_binary 'PNG\r\n\Z\n\0\0 http://south.example'),(8,'[{\"id\":\"1a\",\"settings\":{\"link\":{\"url\":\"https:\\/\\/www.south-shop.example\\/se\\/a\\/\"},\"html\":\"<a href=\\\"https:\\/\\/www.south-shop.example\\/se\\/b\\\">\\u00e9<\\/a>\"}}]',-1,_binary 'a:1:{i:0;s:33:\"https://www.south-shop.example/se\";}'),(9,'{\"d\": \"a:1:{s:1:\\\"u\\\";s:35:\\\"https://www.south-shop.example/se/x\\\";}\"}',0,NULL),(10,'https://share.example/?u=https%3A%2F%2Fwww.south-shop.example%2Fse%2Fp',0,NULL);
UNLOCK TABLES;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'ONLY_FULL_GROUP_BY,NO_BACKSLASH_ESCAPES' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`shop`@`localhost`*/ /*!50003 TRIGGER `tr` BEFORE INSERT ON `wp_posts` FOR EACH ROW BEGIN
  INSERT INTO wp_log VALUES ('http://south.example\');
END */;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`shop`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select 'http://south.example' AS `u` */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;

-- Dump completed on 2026-11-25  9:30:00
