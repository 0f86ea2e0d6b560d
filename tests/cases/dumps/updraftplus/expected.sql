# WordPress MySQL database backup
# Created by UpdraftPlus version 1.24.6 (https://updraftplus.com)
# Backup of: http://south.example
# --------------------------------------------------------
/*!40101 SET NAMES utf8mb4 */;
/*!40101 SET foreign_key_checks = 0 */;

DROP TABLE IF EXISTS `wp_options`;
# Table: `wp_options`
CREATE TABLE `wp_options` (
  `option_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `option_value` longtext NOT NULL,
  PRIMARY KEY (`option_id`)
) ENGINE=InnoDB ;

# Data contents of table `wp_options`
# it's http://south.example
 
INSERT INTO `wp_options` VALUES (1, 'https://www.south-shop.example/se'), 
(2, 'a:2:{i:2;a:1:{s:3:"url";s:43:"https://www.south-shop.example/se/größe\'s";}s:12:"_multiwidget";i:1;}'), 
(3, 'O:8:"stdClass":2:{s:7:"\0*\0link";s:#:"https://www.south-shop.example/se/\n<a href=\'https://www.south-shop.example/se/x\'>";s:4:"mail";s:18:"shop@south.example";}'), 
(4, '[{"id":"1a","settings":{"link":{"url":"https:\\/\\/www.south-shop.example\\/se\\/a\\/"},"html":"<a href=\\"https:\\/\\/www.south-shop.example\\/se\\/b\\">\\u00e9<\\/a>"}}]');

# End of data contents of table `wp_options`
