/*!40101 SET NAMES binary*/;
/*!40014 SET FOREIGN_KEY_CHECKS=0*/;
/*!40103 SET TIME_ZONE='+00:00' */;
INSERT INTO `wp_options` VALUES
(1,"siteurl",'https://www.south-shop.example/se',"yes")
,(2,"json",CONVERT('{\"d\": \"a:1:{s:1:\\\"u\\\";s:35:\\\"https://www.south-shop.example/se/x\\\";}\"}' USING UTF8MB4),"yes")
,(3,"widget",'a:2:{i:2;a:1:{s:3:\"url\";s:43:\"https://www.south-shop.example/se/größe\'s\";}s:12:\"_multiwidget\";i:1;}',"yes");
